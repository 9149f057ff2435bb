"""Looking at code: who calls whom, and where the time goes."""
