/* Small bars side by side, one chart a channel, each with its own scale, because one livestream would
   flatten the rest. Data: {"labels": [days], "series": [{"key": "live", "name": "直播", "fen": [..]}]}. */
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const wan = (fen) => (fen / 1e6).toFixed(1);
  const yuan = (fen) => "¥" + (fen / 100).toLocaleString("en-US", { minimumFractionDigits: 2 });
  const options = ({ labels, series }, big) => {
    const gap = 3.2, n = series.length, width = (100 - gap * (n - 1)) / n;
    const quiet = { color: css("--ink-3"), fontSize: 12 };
    return {
      animationDuration: 240,
      textStyle: { fontFamily: css("--font") },
      tooltip: { trigger: "axis", renderMode: "richText", valueFormatter: yuan },
      title: series.map((one, j) => ({
        text: one.name, padding: 0, left: big ? `${j * (width + gap)}%` : 0, top: big ? 0 : j * 92,
        textStyle: { fontSize: 14, fontWeight: 400, color: css("--ink-2") },
      })),
      grid: series.map((one, j) => (big
        ? { left: `${j * (width + gap)}%`, width: `${width}%`, top: 46, bottom: 24 }
        : { left: 0, right: 0, top: j * 92 + 36, height: 32 })),
      xAxis: series.map((one, j) => ({
        gridIndex: j, type: "category", data: labels, axisTick: { show: false },
        axisLine: { lineStyle: { color: css("--line-strong") } },
        axisLabel: {
          ...quiet, show: big || j === n - 1, interval: (i) => i === 0 || i === labels.length - 1,
          alignMinLabel: "left", alignMaxLabel: "right",
        },
      })),
      yAxis: series.map((one, j) => ({ gridIndex: j, show: false })),
      series: series.map((one, j) => {
        const top = one.fen.lastIndexOf(Math.max(...one.fen));
        return {
          name: one.name, type: "bar", xAxisIndex: j, yAxisIndex: j, barCategoryGap: "28%",
          itemStyle: { color: css(`--c-${one.key}`), borderRadius: [2, 2, 0, 0] },
          data: one.fen.map((fen, i) => ({
            value: fen,
            label: {
              show: i === top && fen > 0, position: "top", distance: 3, color: css("--ink"),
              fontSize: 14, fontWeight: 700, formatter: () => wan(fen),
            },
          })),
        };
      }),
    };
  };
  document.querySelectorAll('[data-chart="channels"]').forEach((box) => {
    const data = JSON.parse(document.getElementById(box.dataset.from).textContent);
    if (!data.series.length) return;
    const big = innerWidth > 767;
    const chart = echarts.init(box, null, { renderer: "svg", height: big ? 200 : data.series.length * 92 + 10 });
    chart.setOption(options(data, big));
    addEventListener("resize", () => chart.resize());
  });
})();
