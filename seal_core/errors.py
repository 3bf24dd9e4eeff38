"""The one exception that SEAL raises for bad input."""


class SealError(ValueError):
    """Bad input. The message names the input and the remedy, and is fit to be shown to a user as it is."""
