import { ArgumentError, RdiError } from "../util/errors.js";

/** A command line that asks for what cannot be: exit status 2. */
export class UsageError extends RdiError {
  override name = "UsageError";
}

/** Work that the user has stopped: exit status 130, as a shell reports Ctrl-C. */
export class Interrupted extends RdiError {
  override name = "Interrupted";
}

/** Runs something that fails with an `ArgumentError` only if an option has an impossible value. */
export async function asUsage<T>(action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof ArgumentError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
