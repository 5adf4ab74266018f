import { familySync, MUSL } from "detect-libc";

/** This machine's: operating system, processor, and `-musl` on a Linux whose C library is musl. */
export function platformName(): string {
  const libc = process.platform === "linux" && familySync() === MUSL ? "-musl" : "";
  return `${process.platform}-${process.arch}${libc}`;
}
