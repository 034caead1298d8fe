"""A pretrained model as layers x sites: where adapters can go."""
