/** Something that holds resources until it is disposed of; `using` does so at the end of the block. Disposing twice is harmless. */
export interface Disposable {
  dispose(): void;
  [Symbol.dispose](): void;
}
