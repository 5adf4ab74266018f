import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { chromium, type Browser, type Page as Tab } from "playwright-core";
import { build, preview } from "vite";

/** Debian's, or what `CHROMIUM` names. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Why there is nothing to test in; undefined if there is. */
export const missing = !existsSync(executablePath)
  ? `no Chromium at ${executablePath}`
  : !existsSync("dist/browser.js")
    ? "dist/ is missing: run scripts/setup"
    : undefined;

/** Headers of a page that may have threads. */
export const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
/** No inline script, no eval, no blob: or data: anywhere. */
export const STRICT = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'",
};

/** Chromium, as it runs in a container and asks nobody on the network. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
    ],
  });
}

/** Builds a page for browsers with Vite, from the package as it is built: imports from src/ become those from dist/. */
export async function buildPage(root: string, outDir: string): Promise<void> {
  await build({
    root,
    configFile: false,
    logLevel: "error",
    resolve: { alias: [{ find: /^(\.\.\/)+src\//, replacement: `${resolve("dist")}/` }] },
    build: { outDir, emptyOutDir: true, target: "es2023", assetsInlineLimit: 0 },
    worker: { format: "es" },
  });
}

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves what was built, with these headers. */
export async function serve(outDir: string, headers: Record<string, string> = {}): Promise<Site> {
  const server = await preview({
    configFile: false,
    logLevel: "error",
    build: { outDir },
    preview: { port: 0, host: "127.0.0.1", headers },
  });
  return { url: server.resolvedUrls!.local[0]!, close: () => server.close() };
}

/** Opens a page; whatever goes wrong in it without being caught is thrown into `errors`. */
export async function openTab(
  browser: Browser,
  url: string,
): Promise<{ readonly tab: Tab; readonly errors: string[] }> {
  const tab = await browser.newPage();
  const errors: string[] = [];
  tab.on("pageerror", (error) => errors.push(String(error)));
  tab.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await tab.goto(url);
  return { tab, errors };
}
