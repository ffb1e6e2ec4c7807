/**
 * Characters of the longest cursor that any list issues, and that the gateway accepts. It leaves room for the other parameters within the 8 KiB that proxies
 * commonly allow for a request line.
 */
export const CURSOR_LENGTH_MAX = 4096
