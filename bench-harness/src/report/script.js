"use strict";
// Everything works without this: it only sorts tables and opens what a link points into.
document.querySelectorAll("th[data-sort]").forEach(function (head) {
  head.addEventListener("click", function () {
    var table = head.closest("table"), column = head.cellIndex;
    var up = head.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    table.querySelectorAll("tbody").forEach(function (body) {
      var rows = Array.from(body.querySelectorAll("tr:not(.group)"));
      var value = function (row) {
        var text = row.cells[column].textContent.replace(/[~\u202f]/g, "").trim();
        if (head.dataset.sort === "words") { return text; }
        var number = parseFloat(text), unit = /(KiB|MiB|GiB|TiB)/.exec(text);
        var power = unit ? 1 + ["KiB", "MiB", "GiB", "TiB"].indexOf(unit[0]) : 0;
        return isNaN(number) ? Infinity : number * Math.pow(1024, power);
      };
      rows.sort(function (a, b) {
        var x = value(a), y = value(b);
        if (x === Infinity || y === Infinity) { return x === y ? 0 : x === Infinity ? 1 : -1; }
        return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
      });
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });
});
function reveal() {
  var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
}
addEventListener("hashchange", reveal);
reveal();
