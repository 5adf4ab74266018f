type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The object without the keys whose value is undefined: options that were not given take the callee's defaults. */
export function defined<T extends object>(options: T): Defined<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
}
