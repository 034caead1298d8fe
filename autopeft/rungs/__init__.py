"""Multi-fidelity: trials trained from rung to rung, and which of them stop."""
