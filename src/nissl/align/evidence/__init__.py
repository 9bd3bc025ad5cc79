"""What speaks for a claim: a checklist of tests that none of its alignment was made on."""
