// How many texts a text is. Chinese goes as UCS-2: 140 octets are 70 units in
// one part; a long text loses 6 octets a part to the concatenation header
// (3GPP TS 23.040 §9.2.3.24.1), so 67.

const single = 70;
const each = 67;

/** A text's length in UTF-16 units and the parts it is sent in; no part splits a character. */
export function count(text: string): { units: number; parts: number; left: number } {
  const units = text.length;
  if (units <= single) return { units, parts: units === 0 ? 0 : 1, left: single - units };
  let parts = 1;
  let used = 0;
  for (const letter of text) {
    if (used + letter.length > each) {
      parts++;
      used = 0;
    }
    used += letter.length;
  }
  return { units, parts, left: each - used };
}
