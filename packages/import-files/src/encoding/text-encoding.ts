/** How the characters of a file are written. UTF-16 is known by its byte order mark. */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252' | 'iso-8859-1'
