/* Bars in time; the last is 现在 and unfinished. Only the peak and the last carry their figure.
   Data: {"labels": ["14:00", …, "现在"], "values": [..]}. It is drawn again when a live part was swapped. */
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const options = ({ labels, values }, big) => {
    const last = values.length - 1, top = values.indexOf(Math.max(...values));
    return {
      animation: false,
      textStyle: { fontFamily: css("--font") },
      grid: { left: 0, right: 0, top: 30, bottom: 26 },
      xAxis: {
        type: "category", data: labels, axisTick: { show: false },
        axisLine: { lineStyle: { color: css("--line") } },
        axisLabel: {
          color: css("--ink-3"), fontSize: big ? 15 : 13,
          interval: (i) => i === last || (i % 6 === 0 && last - i > 2),
        },
      },
      yAxis: { show: false },
      series: [{
        type: "bar", barCategoryGap: "22%", barMaxWidth: 48,
        data: values.map((value, i) => ({
          value,
          itemStyle: { color: css(i === last ? "--persimmon" : "--leaf-mid"), borderRadius: [3, 3, 0, 0] },
          label: {
            show: value > 0 && (i === top || i === last), position: "top", color: css("--ink"),
            fontSize: big ? 18 : 14, fontWeight: 700, formatter: "{c}",
          },
        })),
      }],
    };
  };
  document.querySelectorAll('[data-chart="flow"]').forEach((box) => {
    const chart = echarts.init(box, null, { renderer: "svg" });
    const draw = () => {
      const source = document.getElementById(box.dataset.from);
      if (!source || source.textContent === box.dataset.drawn) return;
      box.dataset.drawn = source.textContent;
      const data = JSON.parse(source.textContent);
      if (data.values.length) chart.setOption(options(data, innerWidth > 991), true);
    };
    draw();
    document.addEventListener("live:swapped", draw);
    addEventListener("resize", () => chart.resize());
  });
})();
