//! Unwind tables: from `.eh_frame` to the rows that the kernel side reads.
