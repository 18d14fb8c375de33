// What a name looks like, as Files/FileKind.cs has it: its icon, and where it may be cut.
const KINDS = Object.entries({
  audio: 'wav mp3 flac m4a aac ogg opus aif aiff',
  video: 'mp4 mov mkv webm avi m4v',
  image: 'png jpg jpeg gif webp avif tif tiff svg heic',
  pdf: 'pdf',
  text: 'txt md csv json xml yaml yml log html css js ts cs py sh sql srt vtt',
  archive: 'zip gz tgz xz zst 7z tar rar',
}).flatMap(([kind, endings]) => endings.split(' ').map((ending) => [ending, kind]));
const BY_ENDING = new Map(KINDS);
const LONGEST_ENDING = 12;

export function iconOf(name, kind) {
  if (kind === 'folder') return 'folder';
  const dot = name.lastIndexOf('.');
  return BY_ENDING.get(dot < 0 ? '' : name.slice(dot + 1).toLowerCase()) ?? 'file';
}

export function split(name, kind) {
  const dot = name.lastIndexOf('.');
  return kind === 'folder' || dot <= 0 || name.length - dot > LONGEST_ENDING ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
}

// Upper case, as names are compared (EntryName.Key); in the order of characters, as the list is.
export const key = (name) => name.toUpperCase();
