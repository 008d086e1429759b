"""Pure conversions between our model and the formats of others, one direction a file."""
