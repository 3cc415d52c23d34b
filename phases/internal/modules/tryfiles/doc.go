// Package tryfiles is ngx_http_try_files_module.
package tryfiles
