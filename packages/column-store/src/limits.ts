/** Rows of a batch or chunk. It bounds the memory that a hostile head can ask for: 2 MB a decoded column of numbers. */
export const ROWS_MAX = 262_144

export const COLUMNS_MAX = 255

/** Bytes of one value of text. */
export const VALUE_BYTES_MAX = 16 * 1024 * 1024

/** Bytes of one column of text in a batch or chunk, and of a decompressed segment. */
export const COLUMN_BYTES_MAX = 128 * 1024 * 1024

/** Nanoseconds of a millisecond. */
export const SUB_NS_MAX = 999_999
