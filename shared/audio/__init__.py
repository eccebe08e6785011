"""Audio on its way in: sample maths (`pcm`), stream conversion (`convert`), files (`media`)."""
