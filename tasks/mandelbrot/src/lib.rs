//! task-mandelbrot
