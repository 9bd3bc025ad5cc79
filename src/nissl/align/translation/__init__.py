"""Translation: one recording predicted from another.

Paired (`paired`): both ran at the same time, and a map from one to the other is fitted. Unpaired
(`unpaired`): nothing was simultaneous; a rule of how activity goes on, learnt in one population,
predicts what the other does next.
"""
