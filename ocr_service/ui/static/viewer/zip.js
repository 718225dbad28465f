/** A ZIP archive of files that are not compressed, for the Markdown with its pictures. */

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
// 1 January 1980: the archive of equal files is equal.
const DATE = 0x21;
const UTF8_NAMES = 0x800;
const VERSION = 20;

/** Return the archive. files: name → bytes. */
export function zipped(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [path, bytes] of files) {
    const name = new TextEncoder().encode(path);
    const entry = [VERSION, UTF8_NAMES, 0, 0, DATE];
    const sizes = [crc32(bytes), bytes.length, bytes.length];
    const local = [...packed(4, 0x04034b50), ...packed(2, ...entry), ...packed(4, ...sizes), ...packed(2, name.length, 0)];
    directory.push(
      Uint8Array.of(
        ...packed(4, 0x02014b50),
        ...packed(2, VERSION, ...entry),
        ...packed(4, ...sizes),
        ...packed(2, name.length, 0, 0, 0, 0),
        ...packed(4, 0, offset),
      ),
      name,
    );
    parts.push(Uint8Array.from(local), name, bytes);
    offset += local.length + name.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = parts.length / 3;
  const end = [...packed(4, 0x06054b50), ...packed(2, 0, 0, count, count), ...packed(4, size, offset), ...packed(2, 0)];
  return new Blob([...parts, ...directory, Uint8Array.from(end)], { type: "application/zip" });
}

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 0xff] ^ (value >>> 8);
  return ~value >>> 0;
}

/** Return numbers as bytes, the lowest first. */
const packed = (size, ...numbers) => numbers.flatMap((number) => Array.from({ length: size }, (_, place) => (number >>> (8 * place)) & 0xff));
