//! System calls of 32-bit programs: which call of the 64-bit table each one is.

/// The call of the 64-bit table that is the same as `number` of the 32-bit one; `None` if there is none.
#[inline(always)]
pub fn same_call(number: u64) -> Option<u64> {
    if number >= NUMBERS as u64 {
        return None;
    }
    // SAFETY: the mask keeps the index inside the table; volatile, so that the table stays one.
    let same = unsafe { core::ptr::read_volatile(&raw const TABLE[number as usize & (ROOM - 1)]) };
    (same != X).then_some(same as u64)
}

const NUMBERS: usize = 451;
const ROOM: usize = 512;
/// There is no such call.
const X: u16 = u16::MAX;

static TABLE: [u16; ROOM] = {
    let mut table = [X; ROOM];
    let mut at = 0;
    while at < NUMBERS {
        table[at] = SAME[at];
        at += 1;
    }
    table
};

/// By the number of the 32-bit table (arch/x86/entry/syscalls/syscall_32.tbl): the number in syscall_64.tbl of the call of
/// the same name, but for the endings by which 32-bit programs tell a wider argument (`fstat64`, `futex_time64`).
#[rustfmt::skip]
static SAME: [u16; NUMBERS] = [
    219, 60, 57, 0, 1, 2, 3, 61, 85, 86, 87, 59, 80, 201, 133, 90, 94, X, 4, 8, 39, 165, 166, 105, 102, X,
    101, 37, 5, 34, 132, X, X, 21, X, X, 162, 62, 82, 83, 84, 32, 22, 100, X, 12, 106, 104, X, 107, 108,
    163, 166, X, 16, 72, X, 109, X, X, 95, 161, 136, 33, 110, 111, 112, 13, X, X, 113, 114, 130, 127, 170,
    160, 97, 98, 96, 164, 115, 116, 23, 88, 6, 89, 134, 167, 169, 78, 9, 11, 76, 77, 91, 93, 140, 141, X,
    137, 138, 173, X, 103, 38, 36, 4, 6, 5, X, 172, 153, X, X, 61, 168, 99, X, 74, 15, 56, 171, 63, 154,
    159, 10, 14, 174, 175, 176, 177, 179, 121, 81, X, 139, 135, 183, 122, 123, 8, 78, 23, 73, 26, 19, 20,
    124, 75, 156, 149, 150, 151, 152, 142, 143, 144, 145, 24, 146, 147, 148, 35, 25, 117, 118, X, 178, 7,
    180, 119, 120, 157, 15, 13, 14, 127, 128, 129, 130, 17, 18, 92, 79, 125, 126, 131, 40, 181, 182, 58,
    97, 9, 76, 77, 4, 6, 5, 94, 102, 104, 107, 108, 113, 114, 115, 116, 93, 117, 118, 119, 120, 92, 105,
    106, 122, 123, 155, 27, 28, 217, 72, X, X, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197,
    198, 199, 200, 40, 202, 203, 204, 205, 211, 206, 207, 208, 209, 210, 221, X, 231, 212, 213, 233, 232,
    216, 218, 222, 223, 224, 225, 226, 227, 228, 229, 230, 137, 138, 234, 235, X, 236, 237, 239, 238, 240,
    241, 242, 243, 244, 245, 246, 247, X, 248, 249, 250, 251, 252, 253, 254, 255, 256, 257, 258, 259, 260,
    261, 262, 263, 264, 265, 266, 267, 268, 269, 270, 271, 272, 273, 274, 275, 277, 276, 278, 279, 309,
    281, 280, 282, 283, 284, 285, 286, 287, 289, 290, 291, 292, 293, 294, 295, 296, 297, 298, 299, 300,
    301, 302, 303, 304, 305, 306, 307, 308, 310, 311, 312, 313, 314, 315, 316, 317, 318, 319, 321, 322, 41,
    53, 49, 42, 50, 288, 55, 54, 51, 52, 44, 46, 45, 47, 48, 323, 324, 325, 326, 327, 328, 329, 330, 331,
    332, 158, 333, 334, X, X, X, X, X, X, 64, 66, 29, 31, 30, 67, 68, 69, 70, 71, 228, 227, 305, 229, 230,
    224, 223, 287, 286, 280, 270, 271, X, 333, 299, 242, 243, 220, 128, 202, 148, 424, 425, 426, 427, 428,
    429, 430, 431, 432, 433, 434, 435, 436, 437, 438, 439, 440, 441, 442, 443, 444, 445, 446, 447, 448,
    449, 450,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_calls() {
        // exit, read, select, futex, futex_time64, epoll_wait
        for (number, same) in [(1, 60), (3, 0), (142, 23), (240, 202), (422, 202), (256, 232)] {
            assert_eq!(same_call(number), Some(same), "{number}");
        }
        // socketcall
        assert_eq!(
            (same_call(102), same_call(451), same_call(u64::MAX)),
            (None, None, None)
        );
    }
}
