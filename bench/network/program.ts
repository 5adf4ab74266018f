import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A program that answers every line it is sent with one line, and ends with its standard input, or when it is told to. */
export interface Program {
  /** What it says when it is ready. */
  readonly greeting: string;
  /** @throws Error if it ends before it has answered */
  readonly ask: (line: string) => Promise<string>;
  readonly end: () => void;
}

/** @throws Error if it cannot be started, or ends before it is ready */
export async function startProgram(
  command: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Program> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env });
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  // That of the program's end is told by whoever waits for a line.
  child.stdin.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done === true) throw new Error(`Expected an answer of ${command} but it ended`);
    return line.value;
  };
  return {
    greeting: await nextLine(),
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return nextLine();
    },
    end: () => void child.kill(),
  };
}

/**
 * Starts a program that measures its own work: it answers every line of seconds with units a second over at least that long. Returns the way to ask it.
 *
 * @throws Error if it cannot be started, or ends before it is ready
 */
export async function startMeasuredProgram(
  ...program: Parameters<typeof startProgram>
): Promise<(seconds: number) => Promise<number>> {
  const { ask } = await startProgram(...program);
  return async (seconds) => Number(await ask(String(seconds)));
}
