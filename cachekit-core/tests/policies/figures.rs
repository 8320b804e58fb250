//! The figures that the policies have to reach, and the faults of others that they must not have.
