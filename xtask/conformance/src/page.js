document.getElementById("q").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  let group = null;
  let shown = 0;
  for (const row of document.querySelectorAll("tbody tr")) {
    if (row.classList.contains("group")) {
      if (group) group.hidden = shown === 0;
      group = row;
      shown = 0;
    } else {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      if (!row.hidden) shown += 1;
    }
  }
  if (group) group.hidden = shown === 0;
});
