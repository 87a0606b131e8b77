/** Lets one task run at a time, in the order of asking. A task that fails does not stop the ones behind it. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(task: () => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(task, task);
    this.#last = mine;
    return mine;
  }
}
