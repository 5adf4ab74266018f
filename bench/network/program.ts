import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * Starts a program that measures its own work: it prints a line when it is ready, and then answers every line of seconds with units a second over at
 * least that long. It ends with its standard input. Returns the way to ask it.
 *
 * @throws Error if it cannot be started, or ends before it has answered
 */
export async function startProgram(
  command: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): Promise<(seconds: number) => Promise<number>> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env });
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done === true) throw new Error(`Expected an answer of ${command} but it ended`);
    return line.value;
  };
  await nextLine();
  return async (seconds) => {
    child.stdin.write(`${seconds}\n`);
    return Number(await nextLine());
  };
}
