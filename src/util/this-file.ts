import { pathToFileURL } from "node:url";

/**
 * The URL of the file that a module is in, by its `import.meta.url`, which is undefined where a bundler has put the module into a CommonJS file: then
 * that file's.
 */
export function thisFile(url: string | undefined): string {
  return url ?? pathToFileURL(__filename).href;
}
