// Text that callers, carriers or other programs control. It reaches the page as
// text nodes only; here it loses what could still deceive the eye.

const FFFD = '\uFFFD';

// Control characters; marks that turn the direction of writing; characters of
// no width; line and paragraph separators; tags; halves of surrogate pairs.
const deceiving =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001F\u007F-\u009F\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]|\p{Cs}/gu;

// More than three marks on one letter would paint over the lines around it.
const heaps = /(\p{M}{3})\p{M}+/gu;

/** Most characters of a name or a number on the page. */
export const cap = 64;

/** Makes text from outside fit to be shown, in at most `most` characters. */
export function safe(text: unknown, most = cap): string {
  if (typeof text === 'number' || typeof text === 'boolean') return String(text);
  if (typeof text !== 'string') return '';
  // Cut first: a megabyte of text is not worth the matching.
  const start = text.slice(0, most * 4);
  const clean = start.replace(deceiving, FFFD).replace(heaps, '$1');
  const letters = Array.from(clean);
  if (letters.length <= most && start.length === text.length) return clean;
  return letters.slice(0, most - 1).join('') + '…';
}

/** As {@link safe}, for texts of some length: line ends become spaces first. */
export function safeText(text: unknown, most = 500): string {
  return typeof text === 'string' ? safe(text.replace(/\s*[\r\n]+\s*/g, ' '), most) : safe(text, most);
}

/** A link from outside, if it is one to open: http or https, else ''. */
export function safeUrl(link: unknown): string {
  if (typeof link !== 'string') return '';
  try {
    const url = new URL(link);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : '';
  } catch {
    return '';
  }
}
