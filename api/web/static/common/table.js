/** Rows of tables that become cards on a narrow screen. Roles are named, because browsers forget what a cell is
 * once it is laid out in another way. */

import { h } from "./dom.js";

/** A row of cells under their heads. */
export function row(heads, cells, data = {}) {
  cells.forEach((cell, i) => {
    cell.setAttribute("role", "cell");
    cell.dataset.label = heads[i];
  });
  return h("tr", { role: "row", data }, ...cells);
}

/** The heads. */
export function headRow(heads) {
  return h("tr", { role: "row" }, ...heads.map((text) => h("th", { scope: "col", role: "columnheader" }, text)));
}
