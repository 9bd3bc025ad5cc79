"""How neurons answer to stimuli: traces and spike rates against the times of stimuli."""
