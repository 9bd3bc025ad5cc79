"""Sleep: stages of epochs, with a probability for each."""
