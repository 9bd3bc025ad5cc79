"""EDF, EDF+, BDF and BDF+ files: the header, the samples, the annotations.

Sources: Kemp et al. 1992, Electroencephalogr Clin Neurophysiol 82:391 (EDF); Kemp & Olivan
2003, Clin Neurophysiol 114:1755 (EDF+); BDF is EDF with samples of 24 bits. A file is a header
of text, 256 bytes and 256 more per signal, and data records of one duration that hold some
samples of each signal in turn.

The header is read strictly: what cannot be true is an error, what is odd but unambiguous is a
note. Name, birth date and hospital number of the patient and the free text of the recording
are not read (see `nissl.data.privacy`).
"""
