// Waiting for a condition with a deadline: nothing here sleeps and hopes.

/** Longer than anything takes on a busy machine: a test that hits it is broken. */
export const DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Asks `probe` again and again until it answers something truthy, and returns that. */
export async function until(what, probe) {
  const end = Date.now() + DEADLINE_MS;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`waited ${DEADLINE_MS / 1000} s for ${what}`);
    await new Promise((look) => setTimeout(look, LOOK_EVERY_MS));
  }
}

/** Facts in the order they came; whoever waits is asked again after each. */
export class Facts {
  #facts = [];
  #waiting = new Set();

  add(fact) {
    this.#facts.push(fact);
    for (const look of this.#waiting) look();
  }

  /** The first truthy answer of `pick` to any fact, past or future. */
  async first(what, pick) {
    let timer;
    let look;
    try {
      return await new Promise((found, failed) => {
        let next = 0;
        look = () => {
          while (next < this.#facts.length) {
            const answer = pick(this.#facts[next++]);
            if (answer) return found(answer);
          }
        };
        this.#waiting.add(look);
        timer = setTimeout(() => failed(new Error(`waited ${DEADLINE_MS / 1000} s for ${what}`)), DEADLINE_MS);
        look();
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  /** Every fact `pick` says yes to, so far. */
  all(pick) {
    return this.#facts.filter(pick);
  }
}
