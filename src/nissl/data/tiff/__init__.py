"""TIFF files: the chain of their pages, what their headers say, and their pixels.

Source: TIFF Revision 6.0 (Adobe, 1992); BigTIFF has offsets of 64 bits. Pages whose pixels
lie uncompressed in one piece are read with positioned reads; others are decoded by tifffile.
"""
