// The widgets' script asks MathJax 2 to typeset their labels, and fails where it meets MathJax 3. The labels hold no maths.
addEventListener("DOMContentLoaded", () => { if (window.MathJax) window.MathJax.Hub = { Queue() {} } });
