#!/usr/bin/env node
import { run } from "./run.js";

// A reader such as `head` that has seen enough is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2));
