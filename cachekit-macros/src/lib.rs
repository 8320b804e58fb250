//! To be filled.
use proc_macro as _;
