//! Questions asked of a profile. Pure: no I/O, no clock.
