"""Training-time methods: callbacks of the one training loop, one file each."""
