import { fileURLToPath, URL } from "node:url";
import { defineConfig } from "vite";

const inCheckout = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export default defineConfig({
  root: inCheckout("examples/browser"),
  base: "./",
  // In a project of your own both come from npm.
  resolve: {
    alias: {
      "rdi-net": inCheckout("dist/browser.js"),
      "@rdi-net/rdi-smallcnn-mnist": inCheckout("pretrained/rdi-smallcnn-mnist"),
    },
  },
  assetsInclude: ["**/*.safetensors"],
  build: { outDir: inCheckout("build/browser/example"), emptyOutDir: true, target: "es2023" },
  worker: { format: "es" },
  // With these headers the page is cross-origin isolated, and the engine has threads.
  server: {
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
    fs: { allow: [inCheckout("")] },
  },
});
