"""Cells become derivations: Jacobians, adjoint, tangent, recurrences, proof."""
