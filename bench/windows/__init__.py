"""Programs with a window that write down what is typed into it."""
