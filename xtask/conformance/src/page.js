document.getElementById("q").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  let any = false;
  for (const suite of document.querySelectorAll(".suite")) {
    let group = null;
    let inGroup = 0;
    let inSuite = 0;
    for (const row of suite.querySelectorAll("tbody tr")) {
      if (row.classList.contains("group")) {
        if (group) group.hidden = inGroup === 0;
        group = row;
        inGroup = 0;
      } else {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        if (!row.hidden) {
          inGroup += 1;
          inSuite += 1;
        }
      }
    }
    if (group) group.hidden = inGroup === 0;
    suite.hidden = inSuite === 0;
    any ||= inSuite > 0;
  }
  document.querySelector(".none").hidden = any;
});
