const body = document.querySelector("tbody"), rows = [...body.rows], find = document.querySelector("#find");
const chips = [...document.querySelectorAll("nav button")], heads = [...document.querySelectorAll("th")];
const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
let shown = "all";

function filter() {
  const sought = find.value.trim().toLowerCase();
  let count = 0;
  for (const row of rows) {
    row.hidden = !((shown === "all" || row.classList.contains(shown)) && words.get(row).includes(sought));
    count += !row.hidden;
  }
  document.querySelector("#none").hidden = count > 0;
}

function sort(head, place) {
  const falls = head.getAttribute("aria-sort") === "descending" || (place === 1 && !head.hasAttribute("aria-sort"));
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falls ? "ascending" : "descending");
  const value = (row) => row.cells[place].dataset.v;
  const order = (a, b) => {
    const [one, two] = [value(a), value(b)];
    if (one === "" || two === "") return (one === "") - (two === "");
    const numbers = [one, two].map(Number);
    const found = numbers.some(Number.isNaN) ? one.localeCompare(two) : numbers[0] - numbers[1];
    return falls ? found : -found;
  };
  body.append(...rows.sort(order));
}

for (const chip of chips) {
  chip.addEventListener("click", () => {
    shown = chip.dataset.show;
    for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
    filter();
  });
}
heads.forEach((head, place) => head.firstElementChild?.addEventListener("click", () => sort(head, place)));
find.addEventListener("input", filter);
