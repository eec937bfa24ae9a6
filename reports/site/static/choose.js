"use strict";
// Which method to pick within limits: the rule of reports/stats/choice.py on the evidence that a page carries.
// A test holds the two to each other.
const Choice = (() => {
  // The limit of which the leader takes the largest share; the first of equals.
  function binding(limits, costs) {
    const share = (name) => (limits[name] ? (costs[name] || 0) / limits[name] : 0);
    const names = Object.keys(limits);
    return names.length ? names.reduce((most, name) => (share(name) > share(most) ? name : most)) : "parameters";
  }

  // `found` as parts/chooser.py tells it, `limits` the most of each cost by name.
  function choose(found, limits) {
    const { candidates, verdicts } = found;
    const over = (cost, most) => cost === null || cost === undefined || cost > most;
    const ruledOut = {};
    for (const { label, costs } of candidates) {
      const names = Object.keys(limits).filter((name) => over(costs[name], limits[name]));
      if (names.length) ruledOut[label] = names;
    }
    const admitted = candidates.map((one, index) => ({ ...one, index })).filter(({ label }) => !ruledOut[label]);
    // The first by rank that no other is decided to be better than; verdicts in a circle leave the first by rank.
    const ranked = admitted.filter(({ rank }) => rank !== null);
    const beaten = (one) => admitted.some((other) => verdicts[other.index][one.index] === "w");
    const leader = ranked.find((one) => !beaten(one)) || ranked[0];
    const none = { pick: null, certainty: "no evidence", ruledOut };
    if (!leader) return { ...none, leader: null, alike: [], open: [], worse: [], binding: binding(limits, {}) };
    const against = admitted.filter(({ index }) => index !== leader.index);
    const said = (one) => verdicts[leader.index][one.index];
    const labels = (wanted) => against.filter((one) => wanted(said(one))).map(({ label }) => label);
    const told = {
      leader: leader.label, alike: labels((code) => code === "s"), worse: labels((code) => code === "w"),
      open: labels((code) => code !== "s" && code !== "w"), binding: binding(limits, leader.costs), ruledOut,
    };
    if (!/[swo]/.test(verdicts[leader.index])) return { ...told, ...none };
    const cost = ({ costs }) => costs[told.binding] ?? Infinity;
    const pick = [leader, ...against.filter((one) => said(one) === "s")]
      .reduce((least, one) => (cost(one) < cost(least) ? one : least));
    return { ...told, pick: pick.label, certainty: told.open.length ? "leads" : against.length ? "decided" : "only" };
  }

  return { choose };
})();
