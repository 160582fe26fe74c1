"""The whole Waitpoints stack on your own machine. `waitpoints up` starts it, `waitpoints down` ends it."""
