"""Derivations become programs: phases, fused stages, tape and storage."""
