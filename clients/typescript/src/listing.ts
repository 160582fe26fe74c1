/** One part of a list. It can be short, or empty, and not be the last one. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  /** The cursor of the next part. Undefined on the last one. */
  readonly next: string | undefined;
}

/** A list that is read part by part as it is iterated: `for await (const item of list)`. */
export class Listing<Item> implements AsyncIterable<Item> {
  readonly #read: (after: string | undefined) => Promise<ListPage<Item>>;

  /** @internal */
  constructor(read: (after: string | undefined) => Promise<ListPage<Item>>) {
    this.#read = read;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for await (const page of this.pages()) yield* page.items;
  }

  /** The parts, one for each request. */
  async *pages(): AsyncGenerator<ListPage<Item>, void, undefined> {
    let page = await this.#read(undefined);
    yield page;
    while (page.next !== undefined) {
      page = await this.#read(page.next);
      yield page;
    }
  }
}
