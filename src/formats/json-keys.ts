/**
 * The first key that occurs twice in one object of a JSON text, at any depth; undefined if there is none.
 *
 * `JSON.parse` silently keeps the last of two equal keys, so a format that forbids them must look for itself.
 *
 * @param text must be valid JSON
 */
export function duplicateKey(text: string): string | undefined {
  /** The keys seen in each object that is open, innermost last; arrays hold none. */
  const open: Set<string>[] = [];
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;
  for (const match of text.matchAll(token)) {
    const [found, colon] = match;
    if (found === "{" || found === "[") open.push(new Set());
    else if (found === "}" || found === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(found.slice(0, -colon.length)) as string;
      const seen = open.at(-1);
      if (seen?.has(key)) return key;
      seen?.add(key);
    }
  }
  return undefined;
}
