//! The examples stand beside this file, each in a folder of its own.
