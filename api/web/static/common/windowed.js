/** A long list in a scrolling box, of which only a stretch is in the document: a day of text costs no more than
 * a page of it. */

const MAX = 160;
const STEP = 40;
const NEAR_PX = 400;
const AT_END_PX = 40;

export class WindowedList {
  /** `render(item, index)` makes an item's element. `onFollow` is called when the list begins or ceases to stay
   * at its end. */
  constructor(scroller, list, render, onFollow = () => {}) {
    this._scroller = scroller;
    this._list = list;
    this._render = render;
    this._onFollow = onFollow;
    this.items = [];
    this._from = 0;
    this._to = 0;
    this.isFollowing = true;
    scroller.addEventListener("scroll", () => this._scrolled(), { passive: true });
  }

  /** Put an item behind the rest. */
  push(item) {
    this.items.push(item);
    const isNext = this._to === this.items.length - 1;
    if (!isNext || (!this.isFollowing && this._to - this._from >= MAX)) return;
    this._list.append(this._element(this._to));
    this._to += 1;
    while (this._to - this._from > MAX) this._dropFirst();
    this.keepAtEnd();
  }

  /** Take all items away. */
  clear() {
    this.items = [];
    this._from = this._to = 0;
    this._list.replaceChildren();
    this._follow(true);
  }

  /** The element of an item, if it is in the document. */
  element(index) {
    return index >= this._from && index < this._to ? this._list.children[index - this._from] : null;
  }

  /** Bring an item into view. */
  show(index) {
    if (!this.items.length) return;
    if (!this.element(index)) this._rebuild(Math.max(0, index - MAX / 2));
    const element = this.element(index);
    const [box, row] = [this._scroller.getBoundingClientRect(), element.getBoundingClientRect()];
    if (row.top < box.top || row.bottom > box.bottom) {
      this._scroller.scrollTop += row.top - box.top - box.height / 3;
    }
  }

  /** Go to the end, and stay there. */
  toEnd() {
    if (this._to < this.items.length) this._rebuild(Math.max(0, this.items.length - MAX));
    this._follow(true);
    this._scroller.scrollTop = this._scroller.scrollHeight;
  }

  /** Stay at the end, if the list does, after something below it grew. */
  keepAtEnd() {
    if (!this.isFollowing || this._isDue) return;
    this._isDue = true;
    requestAnimationFrame(() => {
      this._isDue = false;
      if (this.isFollowing) this._scroller.scrollTop = this._scroller.scrollHeight;
    });
  }

  _scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this._scroller;
    const below = scrollHeight - scrollTop - clientHeight;
    if (scrollTop < NEAR_PX && this._from > 0) this._up();
    else if (below < NEAR_PX && this._to < this.items.length) this._down();
    // While more text is on its way into the box, being away from its end says nothing.
    if (!this._isDue) this._follow(this._to === this.items.length && below < AT_END_PX);
  }

  _up() {
    this._still(this._list.firstElementChild, () => {
      const from = Math.max(0, this._from - STEP);
      const rows = [];
      for (let i = from; i < this._from; i += 1) rows.push(this._element(i));
      this._list.prepend(...rows);
      this._from = from;
      for (; this._to - this._from > MAX; this._to -= 1) this._list.lastElementChild.remove();
    });
  }

  _down() {
    this._still(this._list.lastElementChild, () => {
      const to = Math.min(this.items.length, this._to + STEP);
      for (; this._to < to; this._to += 1) this._list.append(this._element(this._to));
      while (this._to - this._from > MAX) this._dropFirst();
    });
  }

  _rebuild(from) {
    this._quietly(() => {
      this._from = from;
      this._to = Math.min(this.items.length, from + MAX);
      const rows = [];
      for (let i = this._from; i < this._to; i += 1) rows.push(this._element(i));
      this._list.replaceChildren(...rows);
    });
  }

  /** Change the rows while one of them stays where it is on the screen. */
  _still(anchor, change) {
    const top = anchor.getBoundingClientRect().top;
    this._quietly(change);
    this._scroller.scrollTop += anchor.getBoundingClientRect().top - top;
  }

  /** Change rows that were there before: a screen reader has said them already. */
  _quietly(change) {
    const said = this._list.getAttribute("aria-live");
    if (said) this._list.setAttribute("aria-live", "off");
    change();
    if (said) setTimeout(() => this._list.setAttribute("aria-live", "polite"), 100);
  }

  _element(index) {
    return this._render(this.items[index], index);
  }

  _dropFirst() {
    this._list.firstElementChild.remove();
    this._from += 1;
  }

  _follow(isFollowing) {
    if (isFollowing === this.isFollowing) return;
    this.isFollowing = isFollowing;
    this._onFollow(isFollowing);
  }
}
